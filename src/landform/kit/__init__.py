"""No product knowledge; every module here would be of use in another product."""
