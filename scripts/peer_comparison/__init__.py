# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench_peers.py and scripts/bench_algorithms.py are made of; scripts/compare_backends
shares what runs programs, and the layer in float64."""
