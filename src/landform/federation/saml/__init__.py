"""SAML 2.0, as who lets people in (a service provider): Web Browser SSO that begins here.

Its libraries are an extra; who is not `landform.federation.saml_extra` must not import from here.
"""
