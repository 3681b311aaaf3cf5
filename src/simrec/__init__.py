"""simrec: "Similar articles" blocks that are generated, ranked and evaluated against editors' picks."""
