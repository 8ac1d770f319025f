"""A Mistral workflow pack that takes a TripleO overcloud from release N to N+3."""

__version__ = "0.1.0"
