"""What a run says: who wins where, by how much, from which price on, and when the model cannot tell."""

from sweep.answer.answer import Answer, answer
from sweep.answer.sections import Section

__all__ = ["Answer", "Section", "answer"]
