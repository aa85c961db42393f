"""Roles of the source that the target had not: made there, and kept as the source has them."""

import os

from ends import ComplaintError
from queries import MEMBERS, ROLES, ident

ANEW = """
ALTER ROLE {0} CONNECTION LIMIT -1 PASSWORD NULL VALID UNTIL 'infinity'; ALTER ROLE {0} RESET ALL;
"""
"""What a dump says of a role is only what is not so by itself."""


class Roles:
    """Roles at both ends; `note` is a file in which is kept which were made at the target.

    Roles that the target had already stay as they are: what they are members of is nobody's here.
    """

    def __init__(self, source, target, note):
        self.source = source
        self.target = target
        self.note = note

    def bring(self):
        """Make the roles that the target has not, and renew those that were made before."""
        theirs, ours = (facts(end) for end in (self.source, self.target))
        made = [name for name in self.made() if name in ours]
        new = [name for name in theirs if name not in ours and not name.startswith("pg_")]
        old = [name for name in made if name in theirs and theirs[name] != ours[name]]
        lines = [ANEW.format(ident(name)) for name in old]
        lines += self.dumped(new, old) if new or old else []
        lines += self.belonging({*made, *new} & set(theirs), {*theirs, *made})
        # Noted before: whoever is killed here leaves no role that nobody knows of.
        if new or made != self.made():
            self.keep(made + new)
        words = ("-v", "ON_ERROR_STOP=1", "-1", "-d", "postgres", "-f", "-")
        try:
            if lines:
                self.target.run("psql", "-Xq", *words, given="\n".join(lines))
        except ComplaintError:
            self.keep(made)  # None was made.
            raise

    def dumped(self, new, old):
        """Return what the source's dump says of roles: of new ones also that they are made."""
        begins = tuple(
            verb + form + end
            for verb, names in (("CREATE ROLE ", new), ("ALTER ROLE ", new + old))
            for name in names
            for form in (name, ident(name))
            for end in (" ", ";")
        )
        dumped = self.source.run("pg_dumpall", "--roles-only").splitlines()
        return [line for line in dumped if line.startswith(begins)]

    def belonging(self, names, known):
        """Yield what lets roles belong to what they belong to at the source.

        What the target alone knows, they may belong to as well.
        """
        theirs, ours = (members(end, names, known) for end in (self.source, self.target))
        for pair, (_, taken, how) in sorted(ours.items()):
            if pair not in theirs or theirs[pair][-1] != how:
                yield taken
        for pair, (given, _, how) in sorted(theirs.items()):
            if pair not in ours or ours[pair][-1] != how:
                yield given

    def part(self):
        """Remove the roles that the source has no more; one that somebody uses may not log in."""
        theirs = facts(self.source)
        for name in [name for name in self.made() if name not in theirs]:
            if not self.drop(name):
                self.target.rows("postgres", "ALTER ROLE %s NOLOGIN" % ident(name))

    def unlike(self):
        """Return which of the roles that were made are not as the source has them."""
        theirs, ours = (facts(end) for end in (self.source, self.target))
        made = [name for name in self.made() if name in theirs]
        wrong = {name for name in made if ours.get(name) != theirs[name]}
        given = [members(end, made, theirs) for end in (self.source, self.target)]
        for pair in {*given[0], *given[1]}:
            if len({tuple(each.get(pair, [""])[-1:]) for each in given}) > 1:
                wrong.add(pair[1])
        return ["the role %s is not as at the source" % name for name in made if name in wrong]

    def leave(self):
        """Remove all that were made, unless somebody uses them meanwhile."""
        for name in self.made():
            self.drop(name)

    def drop(self, name):
        """Remove a role; return whether it is gone."""
        try:
            self.target.rows("postgres", "DROP ROLE IF EXISTS " + ident(name))
        except ComplaintError:
            return False
        self.keep([other for other in self.made() if other != name])
        return True

    def made(self):
        """Return which roles were made at the target, or were about to be."""
        if not os.path.exists(self.note):
            return []
        with open(self.note) as file:
            return list(dict.fromkeys(file.read().split("\n")[:-1]))

    def keep(self, names):
        """Note which were made, whole or not at all."""
        with open(self.note + ".new", "w") as file:
            file.writelines(name + "\n" for name in names)
        os.rename(self.note + ".new", self.note)


def facts(end):
    """Return a digest of what each role is: attributes, password, settings."""
    return dict(end.rows("postgres", ROLES))


def members(end, names, known):
    """Return what roles belong to: by role above and role, how it is given, taken, and meant."""
    rows = end.rows("postgres", MEMBERS)
    return {(above, name): rest for above, name, *rest in rows if name in names and above in known}
