"""Building blocks that know neither a business noun nor the service that uses them."""
