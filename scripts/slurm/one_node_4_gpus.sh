#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# One node with four GPUs, a rank for each. Adapt the lines with "site:", then
#     sbatch one_node_4_gpus.sh INPUT.h5 OUTPUT.h5
#
#SBATCH --job-name=fusedconv
#SBATCH --nodes=1
# Every rank sees all GPUs of the node and takes the one of its number on the node, which is why
# neither --gpus-per-task nor --gpu-bind is wanted.
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
# site: a quarter of the cores. A rank computes with one thread and reads and writes with another;
# more of them let MPI and the file system's client work beside.
#SBATCH --cpus-per-task=8
# site: pinned buffers and what the page cache needs to keep disks busy.
#SBATCH --mem=128G
#SBATCH --time=02:00:00
# See one_node_cpu.sh for the next three.
#SBATCH --signal=USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
input=$1
output=$2

# site: where fusedconv_app and what it was built with come from.
# module load fusedconv

export OMP_NUM_THREADS=1
export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK

trap ':' TERM

# Ranks next to the cores of their GPU's NUMA domain: site: check with `nvidia-smi topo -m`, and
# give the sets of cores with --cpu-bind=mask_cpu:... where block order does not match.
code=0
srun --cpu-bind=cores --distribution=block:block --gpu-bind=none \
  fusedconv_app "$input" -o "$output" --resume || code=$?

if [ "$code" -eq 4 ]; then
  echo "interrupted: queued again, to go on with --resume"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
