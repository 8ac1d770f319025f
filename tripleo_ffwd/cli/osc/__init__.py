"""The commands of `openstack`: they talk to Mistral alone, and so work from any machine that reaches it."""
