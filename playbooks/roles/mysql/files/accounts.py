"""Accounts that may use the databases: brought with their passwords, locked until wanted."""

import re

from definitions import by_pattern, plainly
from ends import ComplaintError
from notes import forget, load, save
from queries import CONNECTED, DEFINER, GRANTEES, ident, literal
from server import careful, ours


class Accounts:
    """Accounts at both ends; `note` is a file in which is kept what was made at the target.

    Only rights on the databases themselves are brought. An account that the target had already
    keeps its password, and is never locked.
    """

    def __init__(self, source, target, databases, note):
        self.source = source
        self.target = target
        self.databases = databases
        self.note = note

    def bring(self):
        """Make the accounts that the target lacks, and give all of them their rights."""
        noted = load(self.note) or {"made": {}, "given": []}
        patterns = {name: by_pattern(self.source, name) for name in self.databases}
        for account in self.found():
            if account in noted["made"]:
                self.target.rows("DROP USER IF EXISTS " + account)
            if not self.there(account):
                noted["made"][account] = None
                save(self.note, noted)
                with careful(account):
                    noted["made"][account] = self.make(account)
            elif account not in noted["given"]:
                noted["given"].append(account)
            save(self.note, noted)
            for line in self.rights(account, patterns):
                with careful(account):
                    self.target.rows(line)

    def found(self):
        """Return the accounts that have rights on the databases, or in whose name they act."""
        names = ", ".join(literal(name) for name in self.databases)
        sql = GRANTEES.format(definer=DEFINER, names=names)
        found = {account for (account,) in self.source.rows(sql)}
        for name in self.databases:
            found.update(by_pattern(self.source, name))
        return [
            account
            for account in sorted(found)
            if not ours(account) and self.is_there(self.source, account)
        ]

    def there(self, account):
        """Whether the target has an account."""
        return self.is_there(self.target, account)

    def is_there(self, server, account):
        """Whether a server has an account; a MariaDB's role is none."""
        asked = "SELECT 1 FROM mysql.user WHERE CONCAT('''', user, '''@''', host, '''') = "
        return bool(server.rows(asked + literal(account)))

    def make(self, account):
        """Make an account, locked; return whether the source's is locked as well."""
        ((text, *_),) = self.source.rows("SHOW CREATE USER " + account)
        self.target.rows("%s; ALTER USER %s ACCOUNT LOCK" % (text, account))
        return "ACCOUNT LOCK" in text

    def rights(self, account, patterns):
        """Yield the statements that give an account its rights on the databases, and no others."""
        for (line,) in self.source.rows("SHOW GRANTS FOR " + account):
            found = re.match(r"GRANT .*? ON (?:PROCEDURE |FUNCTION )?(`((?:[^`]|``)+)`)\.", line)
            if not found:
                continue
            named = found.group(2).replace("``", "`")
            if plainly(named) in self.databases:
                yield line
                continue
            for database, known in patterns.items():
                if account in known and known[account][0] == named:
                    own = ident(re.sub("([_%])", r"\\\1", database))
                    yield line[: found.start(1)] + own + line[found.end(1) :]

    def open(self):
        """Let the accounts in that this made, unless the source does not either."""
        for account, locked in (load(self.note).get("made") or {}).items():
            if locked is False:
                self.target.rows("ALTER USER %s ACCOUNT UNLOCK" % account)

    def close(self):
        """Lock the accounts that this made, and send them away."""
        made = load(self.note).get("made") or {}
        for account in made:
            self.target.rows("ALTER USER %s ACCOUNT LOCK" % account)
        if made:
            users = ", ".join(sorted({account.split("@")[0] for account in made}))
            for (number,) in self.target.rows(CONNECTED.format(users)):
                try:
                    self.target.rows("KILL " + number)
                except ComplaintError:
                    continue  # It went by itself.

    def leave(self, databases):
        """Remove the accounts that this made; take from others what this gave them there."""
        noted = load(self.note)
        for account in noted.get("made") or {}:
            self.target.rows("DROP USER IF EXISTS " + account)
        for account in noted.get("given") or []:
            for name in databases:
                try:
                    taken = "REVOKE ALL PRIVILEGES ON `%s`.* FROM %s"
                    self.target.rows(taken % (name.replace("_", r"\_"), account))
                except ComplaintError:
                    continue  # It had none there.
        forget(self.note)
