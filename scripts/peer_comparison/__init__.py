# SPDX-License-Identifier: Apache-2.0
"""What scripts/bench_peers.py is made of."""
