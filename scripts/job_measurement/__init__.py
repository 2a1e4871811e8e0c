# SPDX-License-Identifier: Apache-2.0
"""What scripts/job_scaling measures and shows."""
