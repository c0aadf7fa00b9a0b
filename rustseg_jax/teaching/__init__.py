"""The method explained on one photo, for teachers and students.

`lesson` combines everything; `network`, `mask` and `steps` show the stages, `alternatives` and
`choice` the other options of the method, `texts` holds the explanations, `views`, `figure` and
`drawings` draw, and `tour` is the guided tour.
"""
