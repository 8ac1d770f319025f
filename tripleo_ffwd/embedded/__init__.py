"""A real Mistral, a real Heat and SSH nodes on one machine, for the demo, tests and rehearsals."""
