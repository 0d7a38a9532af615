"""What proves an act: certificates, trust, seals and chains, judged without the platform (Art. 16, 19, 20)."""
