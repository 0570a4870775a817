"""The only module that touches a plugin manager: loading, and one typed function per hook."""

import inspect
import logging
from collections.abc import Iterable, Mapping
from importlib.metadata import entry_points
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pluggy

from entitlements_core import PROJECT_NAME, hookspecs
from entitlements_core.errors import CredentialInvalid, EntitlementsError, PluginError
from entitlements_core.policy.bases import Base
from entitlements_core.policy.credential import Credential
from entitlements_core.policy.decide import Question, RequestContext
from entitlements_core.policy.decision import Decision, Deny, Reason
from entitlements_core.policy.events import Download, TokenChange
from entitlements_core.policy.facts import FileFacts
from entitlements_core.policy.health import Finding, Health

if TYPE_CHECKING:
    import typer

__all__ = ["UNAVAILABLE", "Plugins"]

log: Final = logging.getLogger("entitlements.plugins")

VETOED: Final = Deny(
    Reason.VETOED,
    "Refused by the vendor's rules",
    "Ask the vendor; if this goes on, a rule may be out of order.",
)
UNAVAILABLE: Final = Deny(
    Reason.VALIDATION_UNAVAILABLE, "Validation service unavailable", "Try again in a few minutes."
)


class Plugins:
    """The registered plugins.

    Args:
        extra: plugin objects to register beside those of the entry-point group.
        discover: whether to load the entry-point group ``index_entitlements``.

    Raises:
        PluginError: when a plugin cannot be imported, implements a hook that does not exist, or
            takes arguments that the hook does not give.
    """

    def __init__(self, extra: Iterable[object] = (), *, discover: bool = True) -> None:
        self._manager = pluggy.PluginManager(PROJECT_NAME)
        self._manager.add_hookspecs(hookspecs)
        self._hooks_in_use: frozenset[str] = frozenset()
        if discover:
            self._discover()
        for plugin in extra:
            self.register(plugin)

    def register(self, plugin: object, name: str | None = None) -> None:
        """Add one plugin.

        Raises:
            PluginError: when it does not fit; both signatures are shown.
        """
        try:
            self._manager.register(plugin, name=name)
            self._manager.check_pending()
        except ValueError as error:
            raise PluginError(
                f"{str(error).splitlines()[0]}.", "Uninstall one of the two."
            ) from None
        except pluggy.PluginValidationError as error:
            if self._manager.is_registered(plugin):
                self._manager.unregister(plugin)
            raise PluginError(
                _mismatch(plugin, error), "Correct or uninstall the plugin."
            ) from None
        callers = vars(self._manager.hook).items()
        self._hooks_in_use = frozenset(
            hook
            for hook, caller in callers
            if isinstance(caller, pluggy.HookCaller) and caller.get_hookimpls()
        )

    @property
    def names(self) -> tuple[str, ...]:
        """The registered plugins, sorted."""
        return tuple(sorted(name for name, _ in self._manager.list_name_plugin()))

    @property
    def active(self) -> tuple[str, ...]:
        """As `names`, of those whose host is installed; others are loaded, and do nothing.

        A plugin says so by an attribute ``requires``: the names of packages that can be imported.
        """
        return tuple(
            sorted(
                name
                for name, plugin in self._manager.list_name_plugin()
                if all(find_spec(one) for one in getattr(plugin, "requires", ()))
            )
        )

    def implements(self, hook: str) -> bool:
        """Whether any plugin implements `hook`; lets the request path skip empty calls."""
        return hook in self._hooks_in_use

    # Credentials and decisions: whatever fails here refuses.

    def find_credential(self, secret: str, request: RequestContext) -> Credential | Deny | None:
        """`entitlements_find_credential`; a `Deny` when a source cannot answer.

        Raises:
            CredentialInvalid: when a source knows the secret as bad.
        """
        try:
            found = self._manager.hook.entitlements_find_credential(secret=secret, request=request)
        except CredentialInvalid:
            raise
        except Exception as error:  # noqa: BLE001 - whatever a plugin raises refuses
            # The traceback could show the secret among the plugin's own values: only its kind.
            log.error("a credential source failed: %s", type(error).__name__)
            return UNAVAILABLE
        if found is None or isinstance(found, Credential):
            return found
        log.error("a credential source answered %s, no credential", type(found).__name__)
        return UNAVAILABLE

    def veto(self, question: Question) -> Deny | None:
        """`entitlements_veto`: the first refusal, or None."""
        if not self.implements("entitlements_veto"):
            return None
        try:
            answers = self._manager.hook.entitlements_veto(question=question)
        except Exception:
            log.exception("a veto raised, which refuses the request")
            return VETOED
        for answer in answers:
            return answer if isinstance(answer, Deny) else VETOED
        return None

    def user_may_read(self, user: str, repository: str) -> bool:
        """`entitlements_user_may_read`; silence and failure are no."""
        return self.user_permission(user, repository) is True

    def user_permission(self, user: str, repository: str) -> bool | None:
        """`entitlements_user_may_read` as it was answered; None where nobody can tell.

        For what is done once and for all: the host may only be unwell, or not be in this process.
        """
        answer = self._ask("entitlements_user_may_read", user=user, repository=repository)
        return answer if isinstance(answer, bool) else None

    def user_is_admin(self, user: str, repository: str) -> bool:
        """`entitlements_user_is_admin`; silence and failure are no. Nothing asks yet."""
        return self._ask("entitlements_user_is_admin", user=user, repository=repository) is True

    # Hosts and files.

    def host(self) -> str:
        """`entitlements_host`, or an empty string."""
        return str(self._ask("entitlements_host") or "")

    def repositories(self) -> tuple[str, ...]:
        """`entitlements_repositories` of all plugins, sorted."""
        answers = self._manager.hook.entitlements_repositories()
        return tuple(sorted({name for names in answers for name in names}))

    def files(
        self, repository: str, project: str | None = None, *, bases: frozenset[str] | None = None
    ) -> tuple[FileFacts, ...] | None:
        """`entitlements_files`; None when no host serves the repository."""
        found = self._manager.hook.entitlements_files(
            repository=repository, project=project, bases=bases
        )
        return None if found is None else tuple(found)

    def mark(self, repository: str, user: str = "") -> str | None:
        """`entitlements_mark`; None where nobody can tell."""
        answer = self._ask("entitlements_mark", repository=repository, user=user)
        return answer if isinstance(answer, str) else None

    def bases(self, repository: str, user: str = "") -> tuple[Base, ...]:
        """`entitlements_bases`; none where nobody can tell, so that none is recorded."""
        answer = self._ask("entitlements_bases", repository=repository, user=user)
        return tuple(answer) if isinstance(answer, Iterable) else ()

    def mirrors(self, repository: str, project: str | None = None) -> tuple[str, ...] | None:
        """`entitlements_mirrors`; None where no host with mirrors serves the repository."""
        answer = self._ask("entitlements_mirrors", repository=repository, project=project)
        return tuple(answer) if isinstance(answer, Iterable) else None

    def query_fields(self) -> Mapping[str, str]:
        """`entitlements_query_fields` of all plugins together: field name to help."""
        merged: dict[str, str] = {}
        for fields in self._manager.hook.entitlements_query_fields():
            merged.update(fields)
        return merged

    def file_facts(self, facts: FileFacts) -> Mapping[str, str]:
        """`entitlements_file_facts` of all plugins together; a failing one leaves all unknown.

        A value that is no text stays unknown, too.
        """
        merged: dict[str, object] = {}
        try:
            for values in self._manager.hook.entitlements_file_facts(facts=facts):
                merged.update(values)
        except Exception:
            log.exception("extra facts of %s are unknown", facts.filename)
            return {}
        return {name: value for name, value in merged.items() if isinstance(value, str)}

    def checks(self, home: Path) -> tuple[Finding, ...]:
        """`entitlements_checks`, plugin by plugin; one that fails is an error of its own."""
        named = self._manager.list_name_plugin()
        return tuple(
            finding for name, plugin in named for finding in self._checks_of(name, plugin, home)
        )

    # Observers: whatever fails here changes nothing.

    def opened(self, home: Path) -> None:
        """`entitlements_opened`."""
        self._tell("entitlements_opened", home=home)

    def decided(self, question: Question, decision: Decision) -> None:
        """`entitlements_decided`."""
        self._tell("entitlements_decided", question=question, decision=decision)

    def downloaded(self, download: Download) -> None:
        """`entitlements_downloaded`."""
        self._tell("entitlements_downloaded", download=download)

    def token_changed(self, change: TokenChange) -> None:
        """`entitlements_token_changed`."""
        self._tell("entitlements_token_changed", change=change)

    def add_commands(self, app: "typer.Typer") -> None:
        """`entitlements_commands`; a plugin that fails here is left out, and said to be."""
        self._tell("entitlements_commands", app=app)

    def _checks_of(self, name: str, plugin: object, home: Path) -> list[Finding]:
        others = [other for other in self._manager.get_plugins() if other is not plugin]
        check = self._manager.subset_hook_caller("entitlements_checks", others)
        try:
            found = [finding for findings in check(home=home) for finding in findings]
        except EntitlementsError as error:
            return [_unwell(name, error.problem, error.remedy)]
        except Exception as error:
            log.exception("the checks of %s failed", name)
            return [_unwell(name, f"Its checks failed: {type(error).__name__}.")]
        if all(isinstance(finding, Finding) for finding in found):
            return found
        return [_unwell(name, "Its checks gave something that is no finding.")]

    def _ask(self, hook: str, **arguments: object) -> object:
        try:
            return getattr(self._manager.hook, hook)(**arguments)
        except Exception:
            log.exception("%s failed and counts as no", hook)
            return None

    def _tell(self, hook: str, **arguments: object) -> None:
        if not self.implements(hook):
            return
        try:
            getattr(self._manager.hook, hook)(**arguments)
        except Exception:
            log.exception("an observer failed in %s", hook)

    def _discover(self) -> None:
        for point in entry_points(group=PROJECT_NAME):
            try:
                plugin = point.load()
            except Exception as error:
                raise PluginError(
                    f"The plugin {point.name} ({point.value}) cannot be loaded: {error}.",
                    "Correct or uninstall it; the server does not run without its rules.",
                ) from error
            self.register(plugin, name=point.name)


def _unwell(plugin: str, detail: str, remedy: str = "Correct or uninstall it.") -> Finding:
    return Finding(check=f"plugin {plugin}", health=Health.ERROR, detail=detail, remedy=remedy)


def _mismatch(plugin: object, error: pluggy.PluginValidationError) -> str:
    """What does not fit, with the signature of the hook beside that of the plugin."""
    lines = [str(error).strip()]
    for name, spec in vars(hookspecs).items():
        own = getattr(plugin, name, None)
        if name.startswith("entitlements_") and callable(own) and name in lines[0]:
            lines.append(f"hook:   {name}{inspect.signature(spec)}")
            lines.append(f"plugin: {name}{inspect.signature(own)}")
    return "\n".join(lines)
