"""The rules on their own: a breaker, a limiter, a budget, a tracker in any program, without a governor."""
