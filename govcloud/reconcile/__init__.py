"""Queue, leases, backoff and the loop: the only threads and sleeps."""
