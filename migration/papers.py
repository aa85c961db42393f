"""Files that people keep beside the register: answers, questionnaires, plans of waves.

They have the envelope of all documents (`apiVersion`, `kind`, `spec`), so that their faults are
told as those of all documents: file, line, column, field, remedy.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module, resources
from typing import Final, Generic, TypeVar

from pydantic import ValidationError

from govcloud.domain.base import API_VERSION, Model
from govcloud.domain.faults import faults_of
from govcloud.domain.yamltext import MAX_TOTAL_BYTES, Node, Reader, SourceFile, field_path
from govcloud.errors import Diagnostic, InvalidInputError

M = TypeVar("M", bound=Model)
PAPERS: Final[Mapping[str, str]] = {
    "WavePlan": "migration.waves.model.WavePlanSpec",
    "Questionnaire": "migration.assessment.questionnaire.QuestionnaireSpec",
    "Answers": "migration.assessment.questionnaire.AnswersSpec",
}
"""The kinds of these files, each with the model of its `spec`, which is loaded when asked for."""


def named(word: str) -> tuple[str, type[Model]] | None:
    """Return the kind that a word means, also in the plural, with its model; None for none."""
    wanted = word.lower()
    for name, place in PAPERS.items():
        if wanted in (name.lower(), f"{name.lower()}s"):
            module, _, model = place.rpartition(".")
            return name, getattr(import_module(module), model)
    return None


@dataclass(frozen=True, slots=True)
class Paper(Generic[M]):
    """What a file says, and where."""

    spec: M
    file: str
    root: Node

    def fault(self, key: str, *path: str | int, **params: object) -> Diagnostic:
        """Return a fault of what stands at a path below `spec`."""
        whole = ("spec", *path)
        line, column = self.root.place(whole)
        return Diagnostic(
            key, params, file=self.file, line=line, column=column, field=field_path(whole)
        )


def parse(source: SourceFile, kind: str, model: type[M]) -> Paper[M]:
    """Return the one document of a file; InvalidInputError with every fault that it has."""
    reader = Reader(largest=MAX_TOTAL_BYTES)
    roots = [root for root, _ in reader.documents(source)]
    faults = list(reader.diagnostics)
    if faults or len(roots) != 1:
        wrong = Diagnostic("migrate.one_document", {"kind": kind}, file=source.name)
        raise InvalidInputError(faults or [wrong])
    root = roots[0]
    found = root.value if isinstance(root.value, dict) else {}
    if found.get("kind") != kind or found.get("apiVersion") != API_VERSION:
        params = {"kind": kind, "version": API_VERSION}
        wrong = Diagnostic(
            "migrate.other_document", params, file=source.name, line=root.line, column=root.column
        )
        raise InvalidInputError([wrong])
    try:
        return Paper(model.model_validate(found.get("spec")), source.name, root)
    except ValidationError as error:
        raise InvalidInputError(faults_of(error, model, "spec", root, source.name)) from error


def shipped(name: str) -> SourceFile:
    """Return a file that comes with the program."""
    text = resources.files("migration").joinpath("assessment", name).read_text("utf-8")
    return SourceFile(name, text)
