"""Generated requests against the running system, in processes of their own: Hypothesis wants no other threads here."""
