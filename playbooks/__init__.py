"""Ansible playbooks and roles; data files of the migration."""
