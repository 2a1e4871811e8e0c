#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Many files on many nodes with four GPUs each and a Lustre file system, started by mpirun. Adapt
# the lines with "site:", then
#     sbatch many_nodes.sh PARAMETERS.h5 DIRECTORY/OF/INPUTS DIRECTORY/OF/OUTPUTS
#
#SBATCH --job-name=fusedconv
#SBATCH --nodes=8
#SBATCH --ntasks-per-node=4
#SBATCH --gpus-per-node=4
#SBATCH --cpus-per-task=8
#SBATCH --mem=128G
#SBATCH --time=02:00:00
# mpirun passes SIGUSR1 on to the ranks on all nodes, so the signal goes to this script alone
# ("B:"), which hands it to mpirun. Under srun leave out the "B:", as in one_node_cpu.sh.
#SBATCH --signal=B:USR1@300
#SBATCH --requeue
#SBATCH --open-mode=append
set -euo pipefail
parameters=$1
inputs=$2
outputs=$3

# site: where fusedconv_app and what it was built with come from.
# module load fusedconv

export OMP_NUM_THREADS=1
# site: Lustre without flock, and most NFS, cannot lock files as HDF5 wants it by default.
export HDF5_USE_FILE_LOCKING=FALSE

# site: large outputs over many storage targets, in stripes of 16 MiB with which the data is aligned
# below. It must be said before a file is made; a directory's files inherit it.
mkdir -p "$outputs"
if command -v lfs >/dev/null; then
  lfs setstripe --stripe-count 8 --stripe-size 16M "$outputs"
fi

# The shell runs a handler only when it waits for a process in the background. Preemption sends
# SIGTERM, which mpirun answers by ending its ranks within seconds: SIGUSR1 lets them finish.
mpirun --map-by ppr:4:node:PE="$SLURM_CPUS_PER_TASK" --bind-to core \
  -x OMP_NUM_THREADS -x HDF5_USE_FILE_LOCKING \
  fusedconv_app "$inputs/*.h5" --output-dir "$outputs" --parameters "$parameters" \
  --hdf5-alignment 16777216 --resume &
mpirun=$!
trap 'kill -USR1 "$mpirun"' USR1 TERM

# A signal ends a wait early, when the job has yet to end.
while kill -0 "$mpirun" 2>/dev/null; do
  wait "$mpirun" || true
done
code=0
wait "$mpirun" || code=$?

if [ "$code" -eq 4 ]; then
  echo "interrupted: queued again, to go on with --resume"
  scontrol requeue "$SLURM_JOB_ID"
fi
exit "$code"
