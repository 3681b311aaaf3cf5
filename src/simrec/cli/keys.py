"""`simrec keys create`, `simrec keys list` and `simrec keys revoke`."""

from __future__ import annotations

from argparse import Namespace
from typing import Any

from simrec.cli.options import add_command, add_workspace, say

COMMAND = "simrec"
"""Who did it, in the audit: whoever may run commands on the machine."""


def add(commands: Any) -> None:
    """Declares the commands."""
    parser = commands.add_parser(
        "keys", help="Keys of those who may ask and change.", description="Keys of those who may ask and change."
    )
    actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")
    command = add_command(actions, "create", "Make a key; its secret is shown once, and kept nowhere.", create)
    command.add_argument("name", metavar="NAME", help="whose it is, such as CMS, or an editor's name")
    command.add_argument(
        "--scope",
        required=True,
        metavar="SCOPES",
        help="what it lets do: read, publish, edit, admin, with commas between",
    )
    command.add_argument("--days", type=int, metavar="N", help="days after which it opens nothing (default: no end)")
    add_workspace(command)
    add_workspace(add_command(actions, "list", "List the keys, without their secrets.", list_))
    command = add_command(actions, "revoke", "Take a key back, at once and for good.", revoke)
    command.add_argument("id", metavar="ID", help="the key's id, as `simrec keys list` has it")
    add_workspace(command)


def create(options: Namespace) -> dict[str, Any]:
    """Makes a key."""
    scopes = [scope.strip() for scope in options.scope.split(",") if scope.strip()]
    with _workspace(options).store() as store:
        made = store.create_key(options.name, scopes, options.days, by=COMMAND)
    say(options, made.secret)
    say(options, f"the key {made.id} of {options.name}: keep it now, it is not shown again")
    return {"id": made.id, "key": made.secret, "name": options.name, "scopes": scopes, "days": options.days}


def list_(options: Namespace) -> dict[str, Any]:
    """Lists the keys."""
    from datetime import UTC, datetime

    with _workspace(options).store() as store:
        found = store.keys()
    rows, now = [], datetime.now(UTC)
    for key in found:
        state = "good" if key.is_good(now) else "revoked" if key.revoked_at else "expired"
        dates = {name: _text(getattr(key, name)) for name in ("created_at", "expires_at", "revoked_at")}
        rows.append({"id": key.id, "name": key.name, "scopes": sorted(key.scopes), "state": state, **dates})
        end = f", until {dates['expires_at']}" if key.expires_at else ""
        say(options, f"{key.id}  {state:<7}  {','.join(sorted(key.scopes))}  {key.name}{end}")
    if not rows:
        say(options, "there is no key yet: see `simrec keys create --help`")
    return {"keys": rows}


def revoke(options: Namespace) -> dict[str, Any]:
    """Takes a key back."""
    with _workspace(options).store() as store:
        key = store.revoke_key(options.id, by=COMMAND)
    say(options, f"the key {key.id} of {key.name} opens nothing any more")
    return {"id": key.id, "name": key.name, "revoked_at": _text(key.revoked_at)}


def _text(moment: Any) -> str | None:
    return moment.isoformat(timespec="seconds") if moment else None


def _workspace(options: Namespace) -> Any:
    from simrec.pipeline.workspace import Workspace

    return Workspace.open(options.workspace)
