"""The compiler: stack outputs in, a tree of playbooks out."""
