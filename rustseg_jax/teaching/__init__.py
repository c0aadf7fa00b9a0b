"""The method taken apart on one photo, for teachers and students.

`lesson` is all of it; `network`, `mask` and `steps` look into the stages, `alternatives` and
`choice` are what could have been chosen instead, `texts` explains, `views`, `figure` and
`drawings` draw, and `tour` tells the story.
"""
