from web_site import make_site, small_catalogue

__all__ = ["make_site", "small_catalogue"]
