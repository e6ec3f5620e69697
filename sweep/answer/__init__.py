"""What a run says: who wins where, by how much, from which price on, and when the model cannot tell."""

from sweep.answer.answer import Answer, Section, answer

__all__ = ["Answer", "Section", "answer"]
