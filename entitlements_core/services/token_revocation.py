"""How a token loses a repository: by command, by a sync, or because the repository is removed."""

from entitlements_core.policy.credential import State
from entitlements_core.policy.token import Token
from entitlements_core.services.operations import Operation

__all__ = ["revoke_grant"]


def revoke_grant(operation: Operation, token: Token, repository: str) -> Token:
    """Close a repository to a token. One that opens nothing else is deleted, which is final."""
    unit, identifier = operation.unit, token.identifier
    if len(token.grants) > 1:
        unit.secrets.drop(identifier, repository)
        unit.tokens.drop_grant(identifier, repository)
        unit.tokens.touch(identifier, at=operation.now, by=operation.actor.name)
        return operation.record_token("token.revoked", token, identifier, repository=repository)
    unit.secrets.drop(identifier)
    unit.tokens.set_state(identifier, State.DELETED, at=operation.now, by=operation.actor.name)
    return operation.record_token("token.deleted", token, identifier)
