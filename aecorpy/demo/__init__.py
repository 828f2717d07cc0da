"""Two domains to read and to run: concert bookings (`python -m aecorpy.demo`) and permits (`… .demo.permits`)."""
