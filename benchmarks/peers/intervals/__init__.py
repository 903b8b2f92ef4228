"""How sure a forecast is, against its peers: `make peers-intervals`. CRPS and coverage on the sets of `make peers`."""
