"""Who may look at the dashboard and its API, and who may change something: users, passwords, sessions, the door."""
