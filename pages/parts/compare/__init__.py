"""Parts of the pages Stages and Tour: a lesson, its steps, its address."""
