"""Rules of the contract as functions from columns to findings. None decides whether a finding matters."""
