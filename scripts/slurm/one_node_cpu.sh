#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# One node, its CPUs alone. Adapt the lines with "site:", then
#     sbatch one_node_cpu.sh INPUT.h5 OUTPUT.h5
#
#SBATCH --job-name=fusedconv
#SBATCH --nodes=1
# site: a rank for each NUMA domain, and all of its cores to the rank.
#SBATCH --ntasks-per-node=4
#SBATCH --cpus-per-task=16
# site: the node to itself; the memory that a rank takes follows from what is free.
#SBATCH --exclusive
#SBATCH --mem=0
#SBATCH --time=02:00:00
# Five minutes before the time limit every rank gets SIGUSR1, writes what it has in hand, and exits
# with 4. Without "B:" the signal goes to the processes of srun's step and not to this script.
#SBATCH --signal=USR1@300
# A job that is preempted or whose node fails is queued again; its log goes on where it ended.
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
input=$1
output=$2

# site: where fusedconv_app and what it was built with come from.
# module load fusedconv

# A thread on every core of the rank, none of which moves.
export OMP_NUM_THREADS=$SLURM_CPUS_PER_TASK
export OMP_PLACES=cores
export OMP_PROC_BIND=close
# Slurm 22.05 and later does not pass --cpus-per-task on to srun.
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

# Preemption tells this script as well. With a handler the shell stays until srun has ended.
trap ':' TERM

code=0
srun --cpu-bind=cores --distribution=block:block \
  fusedconv_app "$input" -o "$output" --resume || code=$?

if [ "$code" -eq 4 ]; then
  echo "interrupted: queued again, to go on with --resume"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
