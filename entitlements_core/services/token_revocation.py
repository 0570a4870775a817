"""How a token ends, or loses a repository: by command, by a sync, or because that is removed."""

from entitlements_core.policy.credential import State
from entitlements_core.policy.token import Token
from entitlements_core.services.operations import Operation

__all__ = ["delete_token", "revoke_grant"]


def delete_token(operation: Operation, token: Token) -> Token:
    """End a token for good, in all its repositories. Its history is kept, its secrets are not."""
    operation.unit.secrets.drop(token.identifier)
    operation.set_state(token.identifier, State.DELETED)
    return operation.record_token("token.deleted", token, token.identifier)


def revoke_grant(operation: Operation, token: Token, repository: str) -> Token:
    """Close a repository to a token. One that opens nothing else is deleted, which is final."""
    if len(token.grants) == 1:
        return delete_token(operation, token)
    unit, identifier = operation.unit, token.identifier
    unit.secrets.drop(identifier, repository)
    unit.tokens.drop_grant(identifier, repository)
    operation.touch(identifier)
    return operation.record_token("token.revoked", token, identifier, repository=repository)
