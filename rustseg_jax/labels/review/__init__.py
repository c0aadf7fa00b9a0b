"""Review: agreement between experts, consensus masks, and which stage lost most."""
