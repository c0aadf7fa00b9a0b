"""One model for all visitors: who is next, what is kept, what was computed."""
