"""The durable execution of Ansible playbooks: run directory, ledger, supervisor, process tree."""
