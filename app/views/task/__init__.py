"""Task: the images by class, checked and labeled."""
