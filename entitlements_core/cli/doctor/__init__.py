"""``entitlements doctor``: is everything as it should be?"""

from entitlements_core.cli.doctor.command import doctor

__all__ = ["doctor"]
