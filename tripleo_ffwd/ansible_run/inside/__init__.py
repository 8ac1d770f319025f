"""What runs inside ansible-playbook's process, which may be another virtual environment's; stdlib and Ansible only."""
