# SPDX-License-Identifier: Apache-2.0
"""What scripts/from_pytorch.py and scripts/from_onnx.py share: the block that fusedconv computes
(layer), how it is put together from the operations of a network (block), and the files."""
