"""The web app: Streamlit pages that ask the engine and draw what it answers."""
