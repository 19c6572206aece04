"""What ships beside the code: tasks, teachers, recorded results, and the scripts that made them."""
