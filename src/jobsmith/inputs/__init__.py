"""What people hand in: a posting and a master CV. Every mistake is told before anything is spent."""
