"""What the pages Stages and Tour are made of: a lesson, its steps, its address."""
