"""What a check-up finds."""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad it is; a larger one is worse."""

    GOOD = 0
    """As it should be."""
    NOTE = 1
    """Worth knowing; nothing needs to be done."""
    WARNING = 2
    """It works today, and will hurt some day."""
    PROBLEM = 3
    """It does not work."""

    @property
    def word(self) -> str:
        """Its name in output."""
        return self.name.lower()


@dataclass(frozen=True, slots=True)
class Finding:
    """One sentence, and what to do about it."""

    severity: Severity
    check: str
    """The name of the rule, which stays the same from version to version."""
    sentence: str
    advice: str = ""
    """What to do; empty where nothing is."""
    subject: str = ""
    """Whom it is about: a server, a directory, a layer."""

    def as_dict(self) -> dict[str, str]:
        """Give it fit for JSON."""
        return {
            "severity": self.severity.word,
            "check": self.check,
            "subject": self.subject,
            "finding": self.sentence,
            "advice": self.advice,
        }


def good(check: str, sentence: str) -> Finding:
    """Say that something is as it should be."""
    return Finding(Severity.GOOD, check, sentence)


def note(check: str, sentence: str, advice: str = "") -> Finding:
    """Say what is worth knowing."""
    return Finding(Severity.NOTE, check, sentence, advice)


def warning(check: str, sentence: str, advice: str) -> Finding:
    """Say what will hurt some day."""
    return Finding(Severity.WARNING, check, sentence, advice)


def problem(check: str, sentence: str, advice: str) -> Finding:
    """Say what does not work."""
    return Finding(Severity.PROBLEM, check, sentence, advice)


def worst(findings: Iterable[Finding]) -> Severity:
    """Give the worst severity among findings."""
    return max((finding.severity for finding in findings), default=Severity.GOOD)
