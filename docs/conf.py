"""Settings of the documentation; `make docs` builds it with warnings as errors."""

project = "Postern"
author = "The Postern maintainers"
project_copyright = "The Postern maintainers"
version = release = "0.1.0"

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_*"]

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 3

# Amaranth's section for the signature of a component.
napoleon_custom_sections = [("Members", "params_style")]
napoleon_google_docstring = False
autodoc_member_order = "bysource"
autodoc_typehints = "description"

html_theme = "alabaster"
html_theme_options = {"description": "An inter-VM mailbox in hardware", "page_width": "1100px"}
html_static_path = ["_static"]
# No dates: the same sources give the same pages.
html_last_updated_fmt = None
html_show_sphinx = False
html_copy_source = False
nitpicky = False
