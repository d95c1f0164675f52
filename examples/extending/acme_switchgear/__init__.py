"""What Acme adds to Switchgear."""
