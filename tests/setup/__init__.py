"""Set-up, server and static build."""
