# SPDX-License-Identifier: Apache-2.0
"""What scripts/compare_backends is made of: measuring (measurement, differences), judging
(verdict) and rendering (plots, page). What is measured is one JSON document."""
