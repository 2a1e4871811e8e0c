# SPDX-License-Identifier: Apache-2.0
"""Why a comparison ends, or leaves something out."""


class UsageError(Exception):
    """What was given cannot be used: the object, what was expected, what was found."""


class Failure(Exception):
    """Something went wrong while running."""
