"""Who asks for changes in tests."""

from entitlements_core.policy.actor import Actor, ActorKind

__all__ = ["person"]


def person(name: str = "vendor") -> Actor:
    """Somebody at a command line."""
    return Actor(name, ActorKind.PERSON)
